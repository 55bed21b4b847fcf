package command

import (
	"sync"

	"cobble/storage"
)

// errOnReplica refuses WAIT and WAITAOF on a replica.
func errOnReplica(name, why string) error {
	return errorf("ERR %s cannot be used with replica instances. Please also note that %s are just local and are not propagated.", name, why)
}

// wait is WAIT.
func wait(c *Call) error {
	n, ok := storage.ParseInt(c.Args[1])
	if !ok {
		return ErrNotInteger
	}
	timeout, err := c.timeoutMillis(c.Args[2])
	if err != nil {
		return err
	}
	if c.Env.Role().Role == "slave" {
		return errOnReplica("WAIT", "since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas")
	}
	if c.Env.WaitReplicas == nil {
		c.Out.Int(0)
		return nil
	}
	c.Later = c.unblockable(func(stop <-chan struct{}) error {
		count, err := c.Env.WaitReplicas(c, int(n), false, timeout, stop)
		if err == nil {
			c.Out.Int(int64(count))
		}
		return err
	})
	return nil
}

// waitaof is WAITAOF. The log is there and is written whatever appendonly says, so
// that it does not refuse to wait for it.
func waitaof(c *Call) error {
	local, ok := storage.ParseInt(c.Args[1])
	if !ok {
		return ErrNotInteger
	}
	if local < 0 || local > 1 {
		return Error("ERR value is out of range, value must between 0 and 1")
	}
	replicas, ok := storage.ParseInt(c.Args[2])
	if !ok || replicas < 0 {
		return errNotPositive
	}
	timeout, err := c.timeoutMillis(c.Args[3])
	if err != nil {
		return err
	}
	if c.Env.Role().Role == "slave" {
		return errOnReplica("WAITAOF", "writes to replicas")
	}
	c.Later = c.unblockable(func(stop <-chan struct{}) error {
		synced, count, err := c.waitSynced(local == 1, int(replicas), timeout, stop)
		if err != nil {
			return err
		}
		c.Out.Array(2)
		c.intBool(synced)
		c.Out.Int(int64(count))
		return nil
	})
	return nil
}

// waitSynced waits until what the session wrote is synced here, if local, and by so
// many replicas, and returns what was reached in time.
func (c *Call) waitSynced(local bool, replicas int, timeoutMS int64, stop <-chan struct{}) (synced bool, count int, err error) {
	log, lsn, start := c.Env.Engine.Log(), c.Reached(), c.Env.Process.Nanos()
	if local {
		here := make(chan struct{})
		log.ParkSynced(lsn, func(error) { close(here) })
		var timeout <-chan struct{}
		if timeoutMS > 0 {
			timeout = c.Env.Process.After(timeoutMS)
		}
		select {
		case <-here:
		case <-timeout:
		case <-stop:
		}
	}
	if c.Env.WaitReplicas != nil {
		left := timeoutMS
		if timeoutMS > 0 {
			left = max(timeoutMS-(c.Env.Process.Nanos()-start)/1_000_000, 1)
		}
		if count, err = c.Env.WaitReplicas(c, replicas, true, left, stop); err != nil {
			return false, 0, err
		}
	} else if replicas > 0 {
		c.sleep(timeoutMS, stop) // there are none, and none will come
	}
	return log.IsSynced(lsn), count, nil
}

// sleep waits for the time, 0 is for ever, or until stop.
func (c *Call) sleep(timeoutMS int64, stop <-chan struct{}) {
	var timeout <-chan struct{}
	if timeoutMS > 0 {
		timeout = c.Env.Process.After(timeoutMS)
	}
	select {
	case <-timeout:
	case <-stop:
	}
}

// unblockable makes a Later of f, which waits until stop is closed at most: by the
// driver, or by CLIENT UNBLOCK. An error of f is the reply.
func (c *Call) unblockable(f func(stop <-chan struct{}) error) func(stop <-chan struct{}) {
	return func(stop <-chan struct{}) {
		var once sync.Once
		refused := false
		ended, over := make(chan struct{}), make(chan struct{})
		unblock := func(reason string) (did bool) {
			once.Do(func() {
				did, refused = true, reason == "ERROR"
				close(ended)
			})
			return did
		}
		c.Client.unblock.Store(&unblock)
		go func() {
			select {
			case <-stop:
				unblock("TIMEOUT")
			case <-over:
			}
		}()
		err := f(ended)
		close(over)
		c.Client.unblock.Store(nil)
		unblock("") // nobody ends it any more
		if refused {
			err = errUnblocked
		}
		if err != nil {
			c.Out.CutTo(c.replyFrom)
			c.Out.Error(ErrorText(err))
		}
	}
}
