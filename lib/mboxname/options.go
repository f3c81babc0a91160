package mboxname

import "gocyrus/lib/config"

// NamespaceFrom reads the options of the namespace.
func NamespaceFrom(cfg *config.Config) *Namespace {
	ns := &Namespace{
		Alt:           cfg.Bool("altnamespace"),
		UnixSep:       cfg.Bool("unixhierarchysep"),
		UserPrefix:    cfg.Str("userprefix"),
		SharedPrefix:  cfg.Str("sharedprefix"),
		AltPrefix:     cfg.Str("altprefix"),
		DefaultDomain: cfg.Str("defaultdomain"),
		CrossDomains:  cfg.Bool("crossdomains"),
		OnlyOther:     cfg.Bool("crossdomains_onlyother"),
		HideUsers:     cfg.Bool("disable_user_namespace"),
		HideShared:    cfg.Bool("disable_shared_namespace"),
	}
	switch cfg.Enum("virtdomains") {
	case "userid":
		ns.Virtual = VirtualUserID
	case "on", "yes", "true", "1":
		ns.Virtual = VirtualOn
	}
	return ns
}

// LayoutFrom reads the options of the directory layout.
func LayoutFrom(cfg *config.Config) *Layout {
	l := &Layout{
		ConfigDir: cfg.Dir(),
		LockDir:   cfg.Str("mboxname_lockpath"),
		SieveDir:  cfg.Str("sievedir"),
		HashSpool: cfg.Bool("hashimapspool"),
		FullHash:  cfg.Bool("fulldirhash"),
	}
	if l.LockDir == "" {
		l.LockDir = l.ConfigDir + "/lock"
	}
	return l
}
