package server

import "testing"

// What holds for a goroutine per connection holds for the event loop.
func TestSessionsOnTheEventLoop(t *testing.T) {
	was := *eventLoop
	*eventLoop = true
	defer func() { *eventLoop = was }()
	for name, test := range map[string]func(*testing.T){
		"pieces": TestBytesInAnyPieces, "bad input": TestBadInput, "password": TestPasswordAndItsLimits, "maxclients": TestMaxClients,
		"restart": TestDataSurvivesRestart, "kill": TestKillAndList, "reply": TestReplyModes, "pause": TestPause, "limits": TestLimits,
		"large": TestLargeValue, "go-redis": TestGoRedis,
	} {
		t.Run(name, test)
	}
}
