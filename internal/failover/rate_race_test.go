//go:build race

package failover_test

// requestsPerSecond of the outages: the race detector makes a request six times
// as dear, and the full rate is run without it.
const requestsPerSecond = 2
