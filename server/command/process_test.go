package command

// testProcess is a process whose clocks stand still.
func testProcess() Process {
	return Process{
		Version: "test", PID: 1, RunID: "0123456789012345678901234567890123456789",
		Nanos: func() int64 { return 0 }, Micros: func() int64 { return 1_700_000_000_000_000 },
		After:      func(int64) <-chan struct{} { done := make(chan struct{}); close(done); return done },
		AfterFunc:  func(_ int64, f func()) func() bool { f(); return func() bool { return false } },
		Usage:      func() Usage { return Usage{Heap: 1 << 20, RSS: 2 << 20, PeakHeap: 1 << 20, Machine: 1 << 30} },
		Log:        func(string) {},
		Shutdown:   func(ShutdownRequest, <-chan struct{}) error { return nil },
		Abort:      func() bool { return false },
		ShutdownIn: func() (int64, bool) { return 0, false },

		ReadRandom: func(p []byte) {
			for i := range p {
				p[i] = byte(i) + 0xf0
			}
		},
	}
}
