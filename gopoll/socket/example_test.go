package socket_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"syscall"

	"gopoll.dev/gopoll/socket"
)

// until calls a non-blocking function again whenever fd has become ready. A
// program with many descriptors asks one poller instead.
func until(fd uintptr, write bool, call func() error) error {
	for {
		err := call()
		if err != socket.ErrWouldBlock {
			return err
		}
		if ok, err := ready(fd, write, patience); err != nil || !ok {
			return errors.Join(err, errors.New("not ready"))
		}
	}
}

func Example() {
	l, err := socket.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer socket.Close(l)
	address, err := socket.LocalAddr(l)
	if err != nil {
		log.Fatal(err)
	}

	client, err := socket.Dial("tcp", address.String())
	if err != nil {
		log.Fatal(err)
	}
	defer socket.Close(client)
	err = until(client, true, func() error { return socket.ConnectError(client) })
	fmt.Println("connected:", err)

	var server uintptr
	err = until(l, false, func() (err error) { server, err = socket.Accept(l); return })
	fmt.Println("accepted:", err)
	defer socket.Close(server)

	buf := make([]byte, 64)
	_, err = socket.Read(server, buf)
	fmt.Println("too early:", err)

	socket.Write(client, []byte("hello"))
	socket.Shutdown(client, socket.ShutWrite)
	for {
		var n int
		err := until(server, false, func() (err error) { n, err = socket.Read(server, buf); return })
		if err == io.EOF {
			fmt.Println("end")
			break
		}
		fmt.Printf("read: %s %v\n", buf[:n], err)
	}
	// Output:
	// connected: <nil>
	// accepted: <nil>
	// too early: socket: operation would block
	// read: hello <nil>
	// end
}

func ExamplePair() {
	a, b, err := socket.Pair()
	if err != nil {
		log.Fatal(err)
	}
	socket.Write(a, []byte("ping"))
	buf := make([]byte, 8)
	var n int
	err = until(b, false, func() (err error) { n, err = socket.Read(b, buf); return })
	fmt.Printf("%s %v\n", buf[:n], err)
	fmt.Println(socket.Close(a), socket.Close(b))
	// Output:
	// ping <nil>
	// <nil> <nil>
}

func ExampleError() {
	_, err := socket.Read(socket.Invalid, make([]byte, 1))
	var e *socket.Error
	fmt.Println(errors.As(err, &e), e.Op, errors.Is(err, syscall.EBADF))
	// Output: true read true
}
