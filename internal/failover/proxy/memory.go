package proxy

import "sync/atomic"

// memory bounds what all request bodies together may take before they are
// answered: a sidecar that is killed for its memory cuts every stream of the
// pod, and a refused request is tried again a second later.
type memory struct {
	limit int64 // bytes; 0: none
	held  atomic.Int64
}

// hold begins the account of one request.
func (m *memory) hold() *hold { return &hold{memory: m} }

// hold is what one request holds. It is used by one goroutine.
type hold struct {
	memory *memory
	bytes  int64
}

// take asks for n bytes more. A request that is alone is never refused, so
// that a small limit does not make a large body impossible.
func (h *hold) take(n int64) bool {
	held := h.memory.held.Add(n)
	h.bytes += n
	return h.memory.limit == 0 || held <= h.memory.limit || held == h.bytes
}

// release gives everything back. It may be called again.
func (h *hold) release() {
	h.memory.held.Add(-h.bytes)
	h.bytes = 0
}
