package message

import "gocyrus/lib/config"

// OptionsFrom reads the settings of imapd.conf.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		MaxHeaderLines: cfg.Int("maxheaderlines"),
		BoundaryLimit:  cfg.Int("boundary_limit"),
		RFC2046Strict:  cfg.Bool("rfc2046_strict"),
		RFC2047UTF8:    cfg.Bool("rfc2047_utf8"),
	}
}
