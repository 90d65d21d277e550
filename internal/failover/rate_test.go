//go:build !race

package failover_test

// requestsPerSecond of the outages.
const requestsPerSecond = 20
