package conformance

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"gopoll.dev/gopoll"
)

// run is one run of a script. Everything in it belongs to the goroutine that runs the steps; background commands
// keep to what they were given.
type run struct {
	env     Env
	binding gopoll.Binding

	descs   map[string]*desc
	all     []*desc
	pollers map[string]*poller
	sources map[string]*source
	tasks   map[string]*task
	arenas  map[string]*arena
	slices  map[string][]byte
	seeds   uint64
	cleanup []func()
	dir     string
}

// poller is a poller under test and what the script has told it.
type poller struct {
	name  string
	p     *gopoll.Poller
	keys  map[uint64]*source // by key: the last source that had it
	woken bool               // a wake that no Wait is known to have taken
	done  bool               // Close has returned
}

// source is what the script knows of a registration.
type source struct {
	name string
	s    gopoll.Source
	p    *poller
	d    *desc
	registration
	reads, writes []*lend
}

// Run runs the script for one binding. The error is a *Failure.
func (s *Script) Run(env Env, binding gopoll.Binding) error {
	before := takeStock()
	r := &run{
		env: env, binding: binding,
		descs: map[string]*desc{}, pollers: map[string]*poller{}, sources: map[string]*source{},
		tasks: map[string]*task{}, arenas: map[string]*arena{}, slices: map[string][]byte{},
	}
	at := s.steps[0].l
	failed := func(err error) error {
		var le *lineError
		if errors.As(err, &le) {
			at = le.l
		}
		return &Failure{s.File, at.no, at.text, err.Error()}
	}
	if err := r.makePoller("p"); err != nil {
		return failed(err)
	}
	for _, st := range s.steps {
		at = st.l
		stuck, err := guarded(func() error { return st.run(r) })
		if err != nil && !stuck {
			err = errors.Join(err, r.end())
		}
		if err != nil {
			return failed(err)
		}
	}
	at = s.steps[len(s.steps)-1].l
	stuck, err := guarded(r.end)
	if err == nil && !stuck {
		err = before.compare()
	}
	if err != nil {
		return failed(fmt.Errorf("at the end of the script: %w", err))
	}
	return nil
}

// guarded runs one step and gives up when it takes far too long: the failure then shows every goroutine.
func guarded(do func() error) (stuck bool, err error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v\n%s", p, stacks())
			}
		}()
		done <- do()
	}()
	timer := time.NewTimer(3 * patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return false, err
	case <-timer.C:
		return true, fmt.Errorf("stuck for %v\n%s", 3*patience, stacks())
	}
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func (r *run) makePoller(name string, opts ...gopoll.Option) error {
	if old := r.pollers[name]; old != nil && !old.done {
		return fmt.Errorf("poller %s is open", name)
	}
	p, err := gopoll.New(append([]gopoll.Option{gopoll.WithBinding(r.binding)}, opts...)...)
	if err != nil {
		return err
	}
	if p.Binding() != r.binding || p.Backend() != r.env.Backend {
		p.Close()
		return fmt.Errorf("gopoll.New made a poller of %s/%v, expected %s/%v", p.Backend(), p.Binding(), r.env.Backend, r.binding)
	}
	r.pollers[name] = &poller{name: name, p: p, keys: map[uint64]*source{}}
	if name == "p" {
		r.sources["zero@p"] = &source{name: "zero", p: r.pollers[name]}
	}
	return nil
}

// desc is the descriptor of that name.
func (r *run) desc(name string) (*desc, error) {
	if d := r.descs[name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%s was not made on this system", name)
}

func (r *run) openDesc(name string) (*desc, error) {
	d, err := r.desc(name)
	if err == nil && !d.open {
		err = fmt.Errorf("%s is closed", name)
	}
	return d, err
}

func (r *run) source(name string) (*source, error) {
	if s := r.sources[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%s was not added on this system", strings.TrimSuffix(name, "@p"))
}

func (r *run) task(name string) (*task, error) {
	if t := r.tasks[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s was not started, or has been joined", name)
}

// name makes d known.
func (r *run) name(d *desc) error {
	if old := r.descs[d.name]; old != nil && old.open {
		if !d.kept {
			d.open = true
			d.close()
		}
		return fmt.Errorf("%s is open: close it before the name is used again", d.name)
	}
	d.open = true
	if d.end != nil {
		d.end.holders = append(d.end.holders, d)
	}
	r.descs[d.name] = d
	r.all = append(r.all, d)
	return nil
}

func (r *run) seed() uint64 {
	r.seeds++
	return r.seeds
}

// tempDir is a directory that goes away with the script.
func (r *run) tempDir() (string, error) {
	if r.dir == "" {
		dir, err := os.MkdirTemp("", "gopoll")
		if err != nil {
			return "", err
		}
		r.dir = dir
		r.cleanup = append(r.cleanup, func() { os.RemoveAll(dir) })
	}
	return r.dir, nil
}

// end closes whatever the script left open and looks after its background commands.
func (r *run) end() error {
	var errs []error
	for _, name := range sortedKeys(r.tasks) {
		if t := r.tasks[name]; t.letGo != nil {
			t.letGo()
		}
	}
	for _, name := range sortedKeys(r.pollers) {
		if p := r.pollers[name]; !p.done {
			if err := p.p.Close(); err != nil {
				errs = append(errs, fmt.Errorf("closing poller %s: %w", name, err))
			}
			p.done = true
			errs = append(errs, r.dropLends(p))
		}
	}
	for _, d := range r.all {
		if d.open {
			if err := d.close(); err != nil {
				errs = append(errs, fmt.Errorf("closing %s: %w", d.name, err))
			}
		}
	}
	for _, name := range sortedKeys(r.tasks) {
		if err := r.tasks[name].wait(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range sortedKeys(r.arenas) {
		if a := r.arenas[name]; !a.freed {
			errs = append(errs, a.free())
		}
	}
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
	return errors.Join(errs...)
}
