// Package controller keeps the active snapshot equal to what was written: in
// chain files, and in ProviderChain objects of the cluster.
//
// Each chain may be known from several sources. The live object wins over the
// last good one on disk, which wins over a file; a file's chain with another
// name is served beside. A version that does not compile, and a deletion,
// leave what is served as it is and are said aloud: neither may become an
// outage. One goroutine, the merger's, applies the result to the store; what
// takes time (files, the network, the disk) is done before or after by the
// goroutine of each source.
//
//	files   poll -> schema -> Translate -> merger -> Store.Apply
//	API     watch -> Translate -> allowed -> merger -> Store.Apply -> last good
//	status  Store.Load().Status() -> decide -> patch, compare-and-swap
//
// The proxy is the parent of all this. An API server that is away, at the
// start or for a day, costs nothing but news.
package controller

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Options say where chains come from. Store and Log are required, and at least
// one of Files and Chains.
type Options struct {
	Store *failover.Store
	Files []string // files and folders

	// Chains are names of objects in Namespace; they need RESTConfig.
	Chains     []string
	Namespace  string
	RESTConfig func() (*rest.Config, error)
	// LastGoodDir keeps the last good objects for a restart; empty: nowhere.
	LastGoodDir string

	// SecretsDir and AllowEnv bound what a chain from the API may use.
	SecretsDir string
	AllowEnv   []string

	Log *slog.Logger
	// Rejected is told of a version that is not used, Reloaded of every
	// version, its source and what became of it. Neither may block.
	Rejected func(chain string, err error)
	Reloaded func(chain, source, result string)
}

// Controller watches the sources of chains.
type Controller struct {
	opts   Options
	merger *merger
	files  *files
	api    []*watcher
}

// New loads what is there: files, and the last good objects. A bad file is an
// error, since somebody is there to read it; later it would be kept out and
// reported.
func New(o Options) (*Controller, error) {
	m := newMerger(o)
	c := &Controller{opts: o, merger: m, files: newFiles(o.Files, o.Log, m.report)}
	if err := c.files.start(m); err != nil {
		return nil, err
	}
	if len(o.Chains) > 0 {
		var err error
		if c.api, err = newWatchers(o, m); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Run watches until ctx ends, and returns nothing else.
func (c *Controller) Run(ctx context.Context) error {
	var children sync.WaitGroup
	children.Go(func() { c.merger.run(ctx) })
	for _, w := range c.api {
		children.Go(func() { w.run(ctx) })
	}
	c.pollFiles(ctx)
	children.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return ctx.Err()
}

func (c *Controller) pollFiles(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.files.poll(handover{ctx, c.merger})
		case <-ctx.Done():
			return
		}
	}
}
