package proc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// BusOffset is the distance from a node's port to its cluster bus port.
const BusOffset = 10000

// Ports below and buses above both lie under the range the kernel takes for outgoing connections (32768 and up), so
// that nothing but another test can take a port between our choice and the server's listen; a lock file a port, held
// until the process ends, keeps other tests away. A port is no slot number either: tests that blank ports out of replies
// would blank slots with them.
const (
	firstPort = 17000
	lastPort  = 21999
)

// FreePort gives a port that is free now, with its bus port, TCP and UDP, and that no other test that uses this package
// will be given until t ends.
func FreePort(t testing.TB) int {
	t.Helper()
	return FreePorts(t, 1)
}

// FreePorts gives the first of n such ports in a row.
func FreePorts(t testing.TB, n int) int {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("cobble-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		first := firstPort + rand.IntN(lastPort-firstPort+2-n)
		var locks []*os.File
		for port := first; port < first+n; port++ {
			lock, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !free(port) || !free(port+BusOffset) {
				lock.Close()
				break
			}
			locks = append(locks, lock)
		}
		release := func() {
			for _, lock := range locks {
				lock.Close()
			}
		}
		if len(locks) == n {
			t.Cleanup(release)
			return first
		}
		release()
	}
	t.Fatalf("no %d free ports between %d and %d", n, firstPort, lastPort)
	return 0
}

func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	l.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	u.Close()
	return true
}
