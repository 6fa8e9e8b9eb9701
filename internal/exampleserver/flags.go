package exampleserver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gopoll.dev/gopoll"
)

// BindingFlag defines -binding.
func BindingFlag(f *flag.FlagSet) *gopoll.Binding {
	binding := gopoll.Bindings()[0]
	f.Func("binding", "how native calls are made, `cgo or pure` (default "+binding.String()+")", func(s string) error {
		return choose(&binding, s, gopoll.Cgo, gopoll.Pure)
	})
	return &binding
}

// ModeFlag defines -mode.
func ModeFlag(f *flag.FlagSet) *gopoll.Mode {
	mode := gopoll.Level
	f.Func("mode", "when a connection is reported, `level, edge or oneshot` (default level)", func(s string) error {
		return choose(&mode, s, gopoll.Level, gopoll.Edge, gopoll.OneShot)
	})
	return &mode
}

func choose[T fmt.Stringer](value *T, name string, from ...T) error {
	for _, v := range from {
		if strings.ToLower(v.String()) == name {
			*value = v
			return nil
		}
	}
	return errors.New("there is none of this name")
}

// Parse reads the flags, or shows them where -help is among them, and returns
// flag.ErrHelp.
func Parse(f *flag.FlagSet, args []string, out io.Writer) error {
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	err := f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q is no flag", f.Arg(0))
	}
	switch err {
	case nil:
		return nil
	case flag.ErrHelp:
		f.SetOutput(out)
		f.PrintDefaults()
		return err
	}
	return fmt.Errorf("%s: %w; -help shows the flags", f.Name(), err)
}

// Main runs an example's program until it ends or a signal asks it to. A
// second signal ends it at once.
func Main(run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	switch err := run(ctx, os.Args[1:]); {
	case err == flag.ErrHelp:
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
