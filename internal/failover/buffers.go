package failover

import (
	"math/bits"
	"sync"
)

// Buffers lends byte slices of a few sizes and takes them back, so that a body
// of a megabyte does not cost a fresh megabyte of cleared memory for every
// request. The zero value is ready. Safe for concurrent use.
type Buffers struct {
	pools [maxClass - minClass + 1]sync.Pool
}

// The sizes are the powers of two from 1 KiB to 4 MiB. Larger bodies are rare,
// and would only sit in a pool.
const (
	minClass = 10
	maxClass = 22
)

// Buffer is a slice on loan. It is used by one goroutine at a time.
type Buffer struct {
	Bytes []byte // of the capacity that was asked for, or more
	pool  *sync.Pool
}

// Get lends a slice of length 0 that has room for n bytes.
func (p *Buffers) Get(n int) *Buffer {
	class := max(minClass, bits.Len(uint(max(n, 1)-1)))
	if class > maxClass {
		return &Buffer{Bytes: make([]byte, 0, n)}
	}
	pool := &p.pools[class-minClass]
	if b, ok := pool.Get().(*Buffer); ok {
		return b
	}
	return &Buffer{Bytes: make([]byte, 0, 1<<class), pool: pool}
}

// Free gives the slice back. Nobody may use it, or a part of it, afterwards.
func (b *Buffer) Free() {
	if b.pool != nil {
		b.Bytes = b.Bytes[:0]
		b.pool.Put(b)
	}
}
