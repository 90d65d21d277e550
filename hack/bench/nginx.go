package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// nginxConfig is a plain reverse proxy with one worker, kept-alive connections
// to the provider and unbuffered answers.
const nginxConfig = `
daemon off; worker_processes 1; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  access_log off; client_max_body_size 64m; keepalive_requests 10000000;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  client_body_buffer_size 2m;
  upstream provider { server %[2]s; keepalive 256; keepalive_requests 10000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 1h; }
  }
}
`

// startNginx runs nginx in front of the provider, or returns nil where it is
// not installed.
func startNginx(ctx context.Context, dir, provider string) (*target, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil
	}
	front := freeAddr()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, provider, front), 0o600); err != nil {
		return nil, err
	}
	t := &target{name: "nginx", client: newClient("http://" + front)}
	if t.cmd, err = start(ctx, "0", nil, path, "-c", config, "-p", dir); err != nil {
		return nil, err
	}
	return t, await("http://" + front)
}
