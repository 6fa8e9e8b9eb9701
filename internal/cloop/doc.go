// Package cloop holds hand-written C loops on epoll, for the benchmarks of
// package gopoll to be compared with. No other package imports it.
package cloop
