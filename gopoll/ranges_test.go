package gopoll

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// treeInOrder checks what makes a treap, and lists it by address.
func treeInOrder(t *testing.T, tree *lend) (list []*lend) {
	if tree == nil {
		return nil
	}
	for _, child := range []*lend{tree.left, tree.right} {
		if child != nil && child.priority() > tree.priority() {
			t.Fatal("a child is above its parent")
		}
	}
	list = append(treeInOrder(t, tree.left), tree)
	return append(list, treeInOrder(t, tree.right)...)
}

func depth(tree *lend) int {
	if tree == nil {
		return 0
	}
	return 1 + max(depth(tree.left), depth(tree.right))
}

// TestRangesAgainstModel puts random parts of one block into the tree and
// takes them out, beside a model that marks every byte.
func TestRangesAgainstModel(t *testing.T) {
	const size = 2000
	block, taken := make([]byte, size), make([]bool, size)
	rng := rand.New(rand.NewPCG(1, 2))
	var tree *lend
	var lent []*lend
	start := func(l *lend) int { return int(l.start() - address(block)) }
	for step := range 20000 {
		if len(lent) > 0 && rng.IntN(3) == 0 {
			i := rng.IntN(len(lent))
			l := lent[i]
			lent = slices.Delete(lent, i, i+1)
			tree = removeRange(tree, l)
			l.left, l.right = nil, nil
			clear(taken[start(l):][:len(l.buf)])
			continue
		}
		from := rng.IntN(size)
		l := &lend{buf: block[from:min(size, from+1+rng.IntN(40))]}
		want := slices.Contains(taken[from:from+len(l.buf)], true)
		if got := overlaps(tree, l); got != want {
			t.Fatalf("step %d: overlaps says %v of bytes %d to %d, the model %v", step, got, from, from+len(l.buf), want)
		}
		if want {
			continue
		}
		tree = insertRange(tree, l)
		lent = append(lent, l)
		for i := range l.buf {
			taken[from+i] = true
		}
		if step%100 == 0 {
			slices.SortFunc(lent, func(x, y *lend) int { return start(x) - start(y) })
			if !slices.Equal(treeInOrder(t, tree), lent) {
				t.Fatalf("step %d: the tree does not hold what was put into it", step)
			}
		}
	}
	for _, l := range lent {
		tree = removeRange(tree, l)
	}
	if tree != nil {
		t.Fatal("something is left in the tree")
	}
}

// TestRangesStayLevel builds the tree in the order in which a list would be
// made of a tree without a heap.
func TestRangesStayLevel(t *testing.T) {
	const count, each = 1 << 14, 64
	block := make([]byte, count*each)
	for name, at := range map[string]func(i int) int{
		"rising":  func(i int) int { return i },
		"falling": func(i int) int { return count - 1 - i },
		"inwards": func(i int) int { return (i/2)*(1-i%2) + (count-1-i/2)*(i%2) },
	} {
		var tree *lend
		for i := range count {
			tree = insertRange(tree, &lend{buf: block[at(i)*each:][:each]})
		}
		// A random tree of 16,384 is some 35 deep, and 100 never.
		if d := depth(tree); d > 100 {
			t.Errorf("%s addresses: the tree of %d is %d deep", name, count, d)
		}
	}
}

// TestRangesNeighbours are the cases at the edges.
func TestRangesNeighbours(t *testing.T) {
	block := make([]byte, 30)
	tree := insertRange(nil, &lend{buf: block[10:20]})
	for _, c := range []struct {
		from, to int
		want     bool
	}{
		{0, 10, false}, {0, 11, true}, {9, 10, false}, {10, 11, true}, {12, 13, true}, {19, 20, true},
		{20, 21, false}, {19, 30, true}, {20, 30, false}, {0, 30, true}, {10, 20, true},
	} {
		if got := overlaps(tree, &lend{buf: block[c.from:c.to]}); got != c.want {
			t.Errorf("bytes %d to %d beside 10 to 20: got %v", c.from, c.to, got)
		}
	}
}
