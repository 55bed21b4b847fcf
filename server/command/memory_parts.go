package command

// memoryParts is where the memory of the process is, and what the data weighs.
type memoryParts struct {
	Usage
	used     int64 // what maxmemory is compared with, and the buffers
	data     int64 // what maxmemory is compared with
	peak     int64 // of used
	clients  int64 // buffers of clients that do not follow
	replicas int64 // buffers of those that do
	links    int64 // buffers of the cluster's links
	rows     int64 // row table
	index    int64
	large    int64
	dirty    int64
	blocks   int64
	tables   int64
	keys     int64
	overhead int64 // of used, what is not names and values
}

// memory measures. It takes some ten microseconds, and as many for each 1000 clients.
func (c *Call) memory() memoryParts {
	e := c.Env
	m := e.Engine.Memory()
	keys, _, _, bytes := e.counts()
	p := memoryParts{
		Usage: e.Process.Usage(), data: e.Engine.DataBytes(), keys: keys,
		rows: m.Rows, index: m.Index, large: m.LargeRows, dirty: m.Dirty, blocks: m.Blocks, tables: m.Tables,
	}
	p.replicas, p.clients = e.Clients.memory()
	if e.Cluster != nil && e.Cluster.Links != nil {
		for _, link := range e.Cluster.Links() {
			p.links += int64(link.Allocated)
		}
	}
	p.used = p.data + p.clients + p.replicas + p.links
	p.overhead = p.used - min(bytes, p.used)
	p.peak = e.Evictor.peakOf(p.used)
	return p
}

type memoryField struct {
	name  string
	bytes int64
}

// fields are the parts of the process's memory. Heap includes all but rows.
func (m *memoryParts) fields() []memoryField {
	return []memoryField{
		{"rows", m.rows}, {"dirty", m.dirty}, {"index", m.index}, {"large_rows", m.large}, {"block_cache", m.blocks},
		{"open_tables", m.tables}, {"heap", m.Heap}, {"heap_live", m.HeapLive}, {"heap_limit", m.HeapLimit},
	}
}
