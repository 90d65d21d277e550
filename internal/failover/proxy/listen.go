package proxy

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listenLoopback opens the app's port on both loopback addresses, or on the
// IPv4 one alone where there is no IPv6. Anything else is refused: whoever can
// reach this port can spend the keys behind it.
func listenLoopback(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: is not an address; write 127.0.0.1:8089", address)
	}
	if host != "localhost" && host != "127.0.0.1" {
		return nil, fmt.Errorf("--listen %s: only localhost and 127.0.0.1 are served, because whoever reaches this port can spend the keys behind it", address)
	}
	v4, err := listen("--listen", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, _ = net.SplitHostPort(v4.Addr().String())
	v6, err := listen("--listen", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{v4, v6}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		v4.Close()
		return nil, err
	}
	return []net.Listener{v4}, nil
}

func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s: the port is in use; stop the other process or choose another port: %w", flag, address, syscall.EADDRINUSE)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", flag, address, err)
	}
	return l, nil
}
