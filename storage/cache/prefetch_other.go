//go:build !amd64 && !arm64

package cache

import "unsafe"

// PrefetchLine does nothing where the processor is not known.
func PrefetchLine(unsafe.Pointer) {}
