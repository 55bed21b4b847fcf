package command

import (
	"fmt"
	"runtime/debug"
	"strconv"

	"cobble/storage"
)

// memoryUsage estimates what a key holds in memory: its bytes and a fixed share of the tables.
func memoryUsage(c *Call, tx *storage.Tx) error {
	for i := 3; i < len(c.Args); i += 2 {
		if !equalFold(c.Args[i], "samples") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		n, err := strconv.ParseInt(string(c.Args[i+1]), 10, 64)
		if err != nil {
			return ErrNotInteger
		}
		if n < 0 {
			return ErrSyntax
		}
	}
	entry, err := tx.Lookup(c.Args[2])
	switch {
	case err != nil:
		return err
	case !entry.Live:
		c.Out.Null()
	default:
		const rowOverhead = 48
		c.Out.Int(int64(len(entry.Key)) + int64(len(entry.Meta.Inline)) + int64(entry.Meta.Bytes) + rowOverhead*(1+int64(entry.Meta.Count)))
	}
	return nil
}

func memoryDoctor(c *Call) error {
	c.Out.Verbatim("txt", "No memory problem was detected.\n")
	return nil
}

func memoryMallocStats(c *Call) error {
	u := c.Env.Process.Usage()
	c.Out.Verbatim("txt", fmt.Sprintf("heap in use: %d bytes\nresident: %d bytes\n", u.Heap, u.RSS))
	return nil
}

func memoryPurge(c *Call) error {
	debug.FreeOSMemory()
	c.Out.OK()
	return nil
}

func memoryStats(c *Call) error {
	u := c.Env.Process.Usage()
	keys, _, data := c.Env.counts()
	ints := []struct {
		name string
		n    int64
	}{
		{"peak.allocated", u.PeakHeap}, {"total.allocated", u.Heap}, {"startup.allocated", 0}, {"replication.backlog", 0}, {"clients.slaves", 0},
		{"clients.normal", 0}, {"cluster.links", 0}, {"aof.buffer", 0}, {"lua.caches", 0}, {"functions.caches", 0}, {"overhead.total", max(u.Heap-data, 0)},
		{"keys.count", keys}, {"keys.bytes-per-key", data / max(keys, 1)}, {"dataset.bytes", data},
	}
	c.Out.Map(len(ints) + 2)
	for _, f := range ints {
		c.Out.BulkString(f.name)
		c.Out.Int(f.n)
	}
	c.Out.BulkString("peak.percentage")
	c.Out.Double(100 * float64(u.Heap) / float64(max(u.PeakHeap, 1)))
	c.Out.BulkString("fragmentation")
	c.Out.Double(float64(u.RSS) / float64(max(u.Heap, 1)))
	return nil
}
