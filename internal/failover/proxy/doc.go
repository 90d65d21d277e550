// Package proxy is the edge: the loopback port that the app talks to, the
// admin port, their limits, and the drain.
//
// A request is checked (host, origin, route, size, type), read whole and given
// to the engine; the engine's Answer is copied to the app piece by piece. What
// the edge itself refuses is answered in the caller's dialect.
//
// The end: after SIGTERM the port goes on accepting, because in a pod the app
// ends first and may still need us; once nothing has been in flight for two
// seconds, or the drain time is over, the server ends.
package proxy
