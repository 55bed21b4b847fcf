package command

import (
	"strings"
	"sync/atomic"

	"cobble/storage"
)

// COMMANDLOG of Valkey 8.1: SLOWLOG, and two logs like it of commands whose request or
// reply is large.

// largeLog is a log of commands with more bytes than a limit; -1: none.
type largeLog struct {
	SlowLog
	limit atomic.Int64
}

func (l *largeLog) wants(bytes int64) bool {
	limit := l.limit.Load()
	return limit >= 0 && bytes >= limit
}

const errLogType Error = "ERR type should be one of the following: slow, large-request, large-reply"

// commandLog finds the log that an argument names.
func (c *Call) commandLog(kind []byte) (*SlowLog, error) {
	switch strings.ToLower(string(kind)) {
	case "slow":
		return &c.Env.Slow, nil
	case "large-request":
		return &c.Env.LargeRequests.SlowLog, nil
	case "large-reply":
		return &c.Env.LargeReplies.SlowLog, nil
	}
	return nil, errLogType
}

func commandLogGet(c *Call) error {
	count, ok := storage.ParseInt(c.Args[2])
	if !ok || count < -1 {
		return errLogCount
	}
	log, err := c.commandLog(c.Args[3])
	if err != nil {
		return err
	}
	log.write(c, count)
	return nil
}

func commandLogLen(c *Call) error {
	log, err := c.commandLog(c.Args[2])
	if err != nil {
		return err
	}
	c.Out.Int(log.length())
	return nil
}

func commandLogReset(c *Call) error {
	log, err := c.commandLog(c.Args[2])
	if err != nil {
		return err
	}
	log.reset()
	c.Out.OK()
	return nil
}

// noteLarge enters the command that just ended in the logs of large ones.
func (c *Call) noteLarge() {
	if c.Cmd.Flags&SkipSlowlog != 0 {
		return
	}
	request, reply := c.sizes()
	if c.Env.LargeRequests.wants(request) {
		c.Env.LargeRequests.add(c, request)
	}
	if c.Env.LargeReplies.wants(reply) {
		c.Env.LargeReplies.add(c, reply)
	}
}

// isLarge reports whether noteLarge has something to do.
func (c *Call) isLarge() bool {
	request, reply := c.sizes()
	return c.Env.LargeRequests.wants(request) || c.Env.LargeReplies.wants(reply)
}

// sizes are the bytes of the request and of the reply. A command that EXEC runs was
// not read for that: only its reply counts, which is a part of EXEC's.
func (c *Call) sizes() (request, reply int64) {
	if c.inExec {
		return 0, int64(c.Out.Len() - c.start)
	}
	return requestBytes(c.Args), int64(c.Out.Len() - c.replyFrom)
}

// requestBytes is how long a request is in RESP.
func requestBytes(args [][]byte) int64 {
	n := int64(len("*\r\n")) + digits(len(args))
	for _, arg := range args {
		n += int64(len("$\r\n\r\n")+len(arg)) + digits(len(arg))
	}
	return n
}

func digits(n int) int64 {
	d := int64(1)
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}
