package gopoll

import "unsafe"

// Plain buffers that are lent are kept by address in a treap: a search tree
// over the addresses, and a heap over a hash of them, which keeps it level
// whatever the order. No two of them overlap, so the neighbours of a buffer
// tell whether it overlaps any.

// start and end are addresses for comparison only. The memory of l is pinned
// while l is in the tree, so they stay what they are.
func (l *lend) start() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(l.buf))) }
func (l *lend) end() uintptr   { return l.start() + uintptr(len(l.buf)) }

// priority is Fibonacci hashing of the address.
func (l *lend) priority() uint32 { return uint32(uint64(l.start()) * 0x9E3779B97F4A7C15 >> 32) }

// overlaps says whether l shares a byte with a lend in the tree.
func overlaps(tree, l *lend) bool {
	for tree != nil {
		switch {
		case l.end() <= tree.start():
			tree = tree.left
		case l.start() >= tree.end():
			tree = tree.right
		default:
			return true
		}
	}
	return false
}

// insertRange puts l, which overlaps none, into the tree.
func insertRange(tree, l *lend) *lend {
	switch {
	case tree == nil:
		return l
	case l.priority() > tree.priority():
		l.left, l.right = splitRange(tree, l.start())
		return l
	case l.start() < tree.start():
		tree.left = insertRange(tree.left, l)
	default:
		tree.right = insertRange(tree.right, l)
	}
	return tree
}

// splitRange parts a tree into what lies below at and the rest.
func splitRange(tree *lend, at uintptr) (low, high *lend) {
	if tree == nil {
		return nil, nil
	}
	if tree.start() < at {
		tree.right, high = splitRange(tree.right, at)
		return tree, high
	}
	low, tree.left = splitRange(tree.left, at)
	return low, tree
}

// removeRange takes l out of the tree that holds it.
func removeRange(tree, l *lend) *lend {
	switch {
	case tree == l:
		return joinRanges(l.left, l.right)
	case l.start() < tree.start():
		tree.left = removeRange(tree.left, l)
	default:
		tree.right = removeRange(tree.right, l)
	}
	return tree
}

// joinRanges is the tree of both, where low lies below high.
func joinRanges(low, high *lend) *lend {
	switch {
	case low == nil:
		return high
	case high == nil:
		return low
	case low.priority() > high.priority():
		low.right = joinRanges(low.right, high)
		return low
	}
	high.left = joinRanges(low, high.left)
	return high
}
