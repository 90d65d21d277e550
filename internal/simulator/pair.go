package simulator

import "net"

// Pair is one OpenAI and one Anthropic provider, each on a listener of its own.
type Pair struct {
	Simulator         *Simulator
	OpenAI, Anthropic *Server
}

// StartPair starts a pair on the given listeners, which it owns from then on. Options.Providers must be empty; the
// providers are named "openai" and "anthropic".
func StartPair(openAI, anthropic net.Listener, opts Options) (*Pair, error) {
	opts.Providers = nil
	sim, err := New(opts)
	if err != nil {
		return nil, err
	}
	p := &Pair{Simulator: sim}
	if p.OpenAI, err = start(sim.Provider("openai"), openAI); err != nil {
		return nil, err
	}
	if p.Anthropic, err = start(sim.Provider("anthropic"), anthropic); err != nil {
		p.OpenAI.Stop()
		return nil, err
	}
	return p, nil
}

// start serves one provider on a listener.
func start(p *Provider, l net.Listener) (*Server, error) {
	s, err := NewServer(p.Handler(), ServerOptions{Listener: l})
	if err != nil {
		return nil, err
	}
	return s, s.Start()
}

// Close ends all requests, closes the listeners and waits for the handlers.
func (p *Pair) Close() {
	p.Simulator.Close()
	p.OpenAI.Stop()
	p.Anthropic.Stop()
}
