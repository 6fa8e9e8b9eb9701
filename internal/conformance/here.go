package conformance

import (
	"runtime"
	"strconv"

	"gopoll.dev/gopoll"
)

// Here is the Env of this process for one binding.
func Here(binding gopoll.Binding) (Env, error) {
	p, err := gopoll.New(gopoll.WithBinding(binding))
	if err != nil {
		return Env{}, err
	}
	defer p.Close()
	return Env{
		OS:         runtime.GOOS,
		Backend:    p.Backend(),
		Binding:    binding.String(),
		Double:     kqueueDouble,
		Plays:      kqueueDoublePlays,
		Wine:       onWine(),
		Bits32:     strconv.IntSize == 32,
		Invariants: invariants,
	}, nil
}
