package main

import (
	"errors"

	"gopoll.dev/gopoll"
)

// nested is no column here: a completion port can't be waited for.
const nested = ""

type nest struct{}

func newNest(*gopoll.Poller) (*nest, error) { return nil, errors.ErrUnsupported }

func (*nest) wait([]gopoll.Event, func() bool) (int, error) { return 0, errors.ErrUnsupported }

func (*nest) close() error { return nil }
