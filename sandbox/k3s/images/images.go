// Package images holds the container images that come inside the binary: archives as `ctr images import` reads them.
package images

import "embed"

// Archives are put there by sandbox/release.py; without them the binary builds, but starts no pod.
//
//go:embed all:archives
var Archives embed.FS

// Names of the images inside the archives.
const (
	Pause   = "localhost/k3s-stand-in/pause:1"
	CoreDNS = "localhost/k3s-stand-in/coredns:1"
)

// ByFile says which image lies in which file of Archives.
var ByFile = map[string]string{"archives/pause.tar": Pause, "archives/coredns.tar": CoreDNS}
