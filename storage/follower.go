package storage

import "errors"

// ErrFollower refuses a write of our own while the log is a copy of a primary's.
var ErrFollower = errors.New("storage: the log follows a primary, it takes no writes of its own")

// SetFollower says whose log this is: with true only ApplyRecord may append, and
// when SetFollower returns no other write is under way; with false the node's own
// transactions may. It waits for transactions that are committing, nothing else.
func (e *Engine) SetFollower(follower bool) {
	e.stopCommits()
	e.follower = follower
	e.endDrafts()
	e.commits.Unlock()
}

// Follower reports what SetFollower said last.
func (e *Engine) Follower() bool {
	e.commits.RLock()
	defer e.commits.RUnlock()
	return e.follower
}
