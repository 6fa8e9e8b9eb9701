// Package purebind is gopoll's binding without C: the same calls as package
// cbind, through golang.org/x/sys.
package purebind
