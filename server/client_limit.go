package server

import "sync/atomic"

// clientLimit is maxmemory-clients: the buffers of all clients are looked at ten times a second, and when they may have
// grown by much since.
type clientLimit struct {
	bytes atomic.Int64  // the limit, 0 if there is none
	grown atomic.Int64  // bytes since the last look; what has shrunk does not count
	look  chan struct{} // asks for one
	over  bool          // the last look could not close enough; the cron's
}

// A limit is that large at least, as in Redis: with a smaller one nobody could talk to the server. Buffers that grow by
// less than growthToLook are not looked at before their time.
const (
	minClientLimit = 128 << 10
	growthToLook   = 1 << 20
)

// clientGrew notes that a client's buffers are by so many bytes larger than before. Any goroutine may call it.
func (s *Server) clientGrew(bytes int64) {
	if bytes <= 0 {
		return
	}
	limit := s.clients.bytes.Load()
	if limit == 0 || s.clients.grown.Add(bytes) < max(limit/8, growthToLook) {
		return
	}
	select {
	case s.clients.look <- struct{}{}:
	default:
	}
}

// clientBytes reads maxmemory-clients, 0 for no limit.
func (s *Server) clientBytes() int64 {
	n, all := s.settings.Int("maxmemory-clients"), s.settings.Int("maxmemory")
	if n == 0 || n < 0 && all == 0 {
		return 0
	}
	return max(s.settings.Bytes("maxmemory-clients", all), minClientLimit)
}

// evictClients closes the clients that hold most if all hold too much. The cron calls it; now is Unix milliseconds.
func (s *Server) evictClients(now int64) {
	limit := s.clientBytes()
	s.clients.bytes.Store(limit)
	s.clients.grown.Store(0)
	enough := limit == 0 || s.env.Clients.Evict(limit, now, s.env, func(line string) { s.log.Printf(Notice, "Evicting client: %s", line) })
	if !enough && !s.clients.over {
		s.log.Printf(Warning, "Over client maxmemory after evicting all evictable clients")
	}
	s.clients.over = !enough
}
