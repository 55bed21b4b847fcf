//go:build amd64 || arm64

package cache

import "unsafe"

// PrefetchLine brings the cache line at p nearer. p may be any address.
//
//go:noescape
func PrefetchLine(p unsafe.Pointer)
