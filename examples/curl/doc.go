// Curl fetches many URLs at one time with libcurl, in one goroutine: libcurl's
// multi-socket interface says which sockets it wants to be told about, and a
// gopoll poller tells it.
//
//	go run -tags curl ./examples/curl -dir downloads URL...
//
// It shows how an event-driven C library is embedded: what C asks for becomes
// Add, Modify and Delete at once, in the library's own callback, so that a
// socket is never closed while it is registered. The loop is in loop.go, the
// way into libcurl in glue.go, the way back in callbacks.go.
package main
