package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"cobble/server/command"
	"cobble/server/config"
)

const usageText = `Usage: cobble server [CONFIGFILE] [--name value ...] [-]
       cobble server -                 read the configuration from standard input
       cobble server --check-config …  read the configuration, say whether it is good, and exit
       cobble server -v or --version
       cobble server -h or --help

Examples:
       cobble server                   with the default configuration
       echo 'maxmemory 128mb' | cobble server -
       cobble server /etc/redis/6379.conf
       cobble server --port 7777 --cluster-enabled yes --dir /var/lib/cobble
`

// Main runs a server until it is told to stop, and returns the exit code. args are
// what stands behind "cobble server".
func Main(args []string, stdout, stderr io.Writer) int {
	check := false
	if len(args) > 0 {
		switch args[0] {
		case "-v", "--version":
			fmt.Fprintf(stdout, "Cobble server v=%s redis=%s\n", Version, command.RedisVersion)
			return 0
		case "-h", "--help":
			fmt.Fprint(stdout, usageText)
			return 0
		case "--check-config":
			check, args = true, args[1:]
		}
	}
	log := newLogger(stdout)
	settings := config.New()
	command.CheckUsers(settings)
	if err := settings.Load(args, os.Stdin); err != nil {
		return badConfig(err, log, stderr)
	}
	if check {
		fmt.Fprintln(stdout, "The configuration is good.")
		return 0
	}
	return run(settings, log, stderr)
}

func badConfig(err error, log *Logger, stderr io.Writer) int {
	var open *config.OpenError
	if errors.As(err, &open) {
		log.Printf(Warning, "%v", err)
	}
	fmt.Fprintln(stderr, err)
	return 1
}

func run(settings *config.Config, log *Logger, stderr io.Writer) int {
	log.SetLevel(Level(settings.Int("loglevel")))
	if path := settings.Path("logfile"); path != "" {
		if err := log.open(path); err != nil {
			fmt.Fprintf(stderr, "\n*** FATAL CONFIG FILE ERROR (Redis %s) ***\nCan't open the log file: %v\n", config.Version, err)
			return 1
		}
	}
	log.Printf(Notice, "oO0OoO0OoO0Oo Cobble is starting oO0OoO0OoO0Oo")
	log.Printf(Notice, "Cobble version=%s, Redis version=%s, bits=%d, pid=%d, just started", Version, command.RedisVersion, strconv.IntSize, os.Getpid())
	log.Printf(Notice, "Configuration loaded")
	for _, warning := range settings.Warnings() {
		log.Printf(Warning, "%s", warning)
	}
	log.SetRole('M')
	if !fitClients(settings, log) {
		return 1
	}
	s, err := Start(settings, log)
	if err != nil {
		var said *StartError
		if !errors.As(err, &said) {
			log.Printf(Warning, "%v", err)
		}
		return 1
	}
	mode := "standalone"
	if settings.Bool("cluster-enabled") {
		mode = "cluster"
	}
	log.Printf(Notice, "Running mode=%s, port=%d.", mode, settings.Int("port"))
	log.Printf(Notice, "Port: %d, PID: %d", settings.Int("port"), os.Getpid())
	log.Printf(Notice, "Server initialized")
	removePID := writePID(settings, log)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	s.Serve()
	if s.Port() != 0 {
		log.Printf(Notice, "Ready to accept connections tcp")
	} else {
		log.Printf(Notice, "Ready to accept connections unix")
	}
	code := s.wait(signals)
	removePID()
	return code
}

// writePID writes the pid file and returns what removes it.
func writePID(settings *config.Config, log *Logger) (remove func()) {
	path := settings.Path("pidfile")
	if path == "" {
		return func() {}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		log.Printf(Warning, "Failed to write PID file: %v", err)
		return func() {}
	}
	return func() { _ = os.Remove(path) }
}
