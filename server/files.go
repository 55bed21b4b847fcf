package server

import (
	"fmt"
	"syscall"

	"cobble/server/config"
	"cobble/storage"
)

// spareFiles of limit descriptors are kept back for the log, the cluster and the tables of the store: clients that took
// them would stop the writing of everyone. Redis, which has no tables, keeps 32.
func spareFiles(limit uint64) uint64 { return 32 + storage.MostFiles(limit) }

// mostClients is how many clients there may be with limit descriptors.
func mostClients(limit uint64) int64 { return int64(limit - min(limit, spareFiles(limit))) }

// roomFor raises the limit of descriptors for so many clients, as far as the system lets it, and returns the limit there
// is then, and whether it is enough.
func roomFor(clients int64) (limit uint64, enough bool) {
	var now syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now) != nil {
		return 0, true
	}
	if clients <= mostClients(now.Cur) {
		return now.Cur, true
	}
	need := uint64(clients) + spareFiles(1<<40)
	for _, more := range []syscall.Rlimit{{Cur: need, Max: max(need, now.Max)}, {Cur: min(need, now.Max), Max: now.Max}} {
		if more.Cur > now.Cur && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
			now = more
			break
		}
	}
	return now.Cur, clients <= mostClients(now.Cur)
}

// fitClients lowers maxclients to what the limit of descriptors allows. It returns false, and has said why, when that is
// nobody.
func fitClients(settings *config.Config, log *Logger) bool {
	asked := settings.Int("maxclients")
	limit, enough := roomFor(asked)
	if enough {
		return true
	}
	most := mostClients(limit)
	if most < 1 {
		log.Printf(Warning, "Your current 'ulimit -n' of %d is not enough for the server to start. Please increase your open file limit to at least %d. Exiting.",
			limit, uint64(asked)+spareFiles(1<<40))
		return false
	}
	log.Printf(Warning, "You requested maxclients of %d requiring at least %d max file descriptors.", asked, uint64(asked)+spareFiles(1<<40))
	log.Printf(Warning, "Current maximum open files is %d. maxclients has been reduced to %d to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
		limit, most)
	return settings.Set([]config.Pair{{Name: "maxclients", Value: fmt.Sprint(most)}}, false) == nil
}

// enoughFiles refuses a maxclients for which there are too few descriptors.
func enoughFiles(clients int64) error {
	if limit, enough := roomFor(clients); !enough {
		return config.Refusal(fmt.Sprintf("The operating system is not able to handle the specified number of clients, try with %d", mostClients(limit)))
	}
	return nil
}
