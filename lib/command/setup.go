package command

import (
	"strconv"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
	"gocyrus/lib/log"
)

// Setup is how a tool begins: it reads the file that -C names, opens the log
// under the tool's name, becomes the cyrus user and sets the umask. What is
// worth a warning in the file is logged. service is the name whose prefixed
// options count, mostly the tool's own.
func Setup(c *cli.Context, service string) (*config.Config, error) {
	log.Open(service, log.Options{})
	cfg, err := config.Load(c.String("C"), service)
	if err != nil {
		log.Crit("%v", err)
		return nil, err
	}
	log.Open(service, LogOptions(cfg))
	for _, w := range cfg.Warnings() {
		log.Warning("%s", w)
	}
	if err := Become(cfg); err != nil {
		return nil, err
	}
	if mask, err := strconv.ParseUint(cfg.Str("umask"), 8, 12); err == nil {
		unix.Umask(int(mask))
	}
	return cfg, nil
}

// LogOptions are the options of the log that cfg sets.
func LogOptions(cfg *config.Config) log.Options {
	return log.Options{
		Facility: cfg.Str("syslog_facility"),
		Prefix:   cfg.Str("syslog_prefix"),
		Debug:    cfg.Bool("debug"),
	}
}
