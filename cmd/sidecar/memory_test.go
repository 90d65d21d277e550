package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestABurstsMemoryIsGivenBackWhenNothingIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var inFlight atomic.Int64
		inFlight.Store(1)
		go keepSmall(ctx, inFlight.Load)
		time.Sleep(lookEvery)
		synctest.Wait() // after the start
		burst := make([][]byte, 64)
		for i := range burst {
			burst[i] = make([]byte, 1<<20)
			for j := 0; j < len(burst[i]); j += 4096 {
				burst[i][j] = 1
			}
		}
		clear(burst)
		before := held()
		time.Sleep(lookEvery)
		synctest.Wait()
		if held() < before-worthIt {
			t.Error("memory was given back while a request was in flight")
		}
		inFlight.Store(0)
		time.Sleep(lookEvery)
		synctest.Wait()
		if after := held(); after > before-32<<20 {
			t.Errorf("%d MiB are held of %d", after>>20, before>>20)
		}
		stop()
	})
}
