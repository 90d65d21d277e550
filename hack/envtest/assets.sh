#!/usr/bin/env bash
# Prints a folder with etcd, kube-apiserver and kubectl, for KUBEBUILDER_ASSETS:
# the folder that is set already, else what setup-envtest downloads, else what
# is built from Go modules, once a machine. Progress goes to stderr.
set -euo pipefail

version=1.36.3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/understudy/kube/$version
binaries=(etcd kube-apiserver kubectl)

# complete tells whether a folder holds all binaries.
complete() {
	local b
	for b in "${binaries[@]}"; do [ -x "$1/$b" ] || return 1; done
}

# download asks setup-envtest, for no longer than 20 seconds.
download() {
	local tool=$cache/bin/setup-envtest path
	(cd "$root" && go build -modfile=hack/tools.mod -o "$tool" sigs.k8s.io/controller-runtime/tools/setup-envtest) >&2 || return 1
	path=$(timeout 20 "$tool" use -p path "${version%.*}.x" 2>/dev/null) || return 1
	complete "$path" && echo "$path"
}

# build makes one binary, unless an earlier run made it.
build() { # module, name, package
	if [ -x "$cache/bin/$2" ]; then return; fi
	echo "building $2 for Kubernetes $version; this takes minutes, once a machine" >&2
	local v=k8s.io/component-base/version
	local stamp="-X $v.gitVersion=v$version -X $v.gitMajor=${version%%.*} -X $v.gitMinor=36 -X $v.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=v$version"
	(cd "$here/mod/$1" && CGO_ENABLED=0 go build -trimpath -p "${JOBS:-2}" -ldflags="-s -w $stamp" -o "$cache/bin/$2.part" "$3") >&2
	mv "$cache/bin/$2.part" "$cache/bin/$2"
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && complete "$KUBEBUILDER_ASSETS"; then
	echo "$KUBEBUILDER_ASSETS"
	exit
fi
if complete "$cache/assets"; then
	echo "$cache/assets"
	exit
fi
mkdir -p "$cache/bin" "$cache/assets"
if download; then
	exit
fi
# Two runs at once would build everything twice.
if command -v flock >/dev/null; then
	exec 9>"$cache/lock"
	flock 9
fi
build etcd etcd go.etcd.io/etcd/server/v3
build k8s kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build k8s kubectl k8s.io/kubernetes/cmd/kubectl
for b in "${binaries[@]}"; do ln -sfn "../bin/$b" "$cache/assets/$b"; done
echo "$cache/assets"
