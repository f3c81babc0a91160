package config

import "strings"

// Pattern is a family of free-form keys.
type Pattern struct {
	Key  string // with the part that varies in angle brackets
	Help string // one line for the manual
}

// Patterns are the families of free-form keys that mean something.
func Patterns() []Pattern { return patterns }

// KnownPattern says whether a key, in lower case and without a service's
// prefix, belongs to a family.
func KnownPattern(key string) bool {
	for i := range patterns {
		if patterns[i].matches(key) {
			return true
		}
	}
	return false
}

var patterns = []Pattern{
	{"partition-<name>", "root of the spool of a partition; at least one is needed, except on a pure frontend of a murder"},
	{"metapartition-<name>", "root for the kinds of files that metapartition_files lists"},
	{"archivepartition-<name>", "root for messages that have been archived"},
	{"<tier>searchpartition-<name>", "root of the search index of one tier"},
	{"backuppartition-<name>", "root for what the backup daemon keeps"},
	{"sasl_<option>", "option of the SASL library, or of one of its plug-ins, by its own name: sasl_pwcheck_method (auxprop, saslauthd), " +
		"sasl_mech_list, sasl_auxprop_plugin, sasl_sasldb_path, sasl_saslauthd_path (with the final mux), sasl_auto_transition and others"},
	{"<host>_password", "password towards one other server; <host> is its name up to the first dot"},
	{"<host>_mechs", "SASL mechanisms towards one other server"},
	{"<host>_client_cert", "client certificate towards one other server"},
	{"<host>_client_key", "key of that certificate"},
	{"<channel>_sync_<option>", "value of a sync option for one replication channel: sync_host, sync_port, sync_authname, sync_password, " +
		"sync_realm, sync_repeat_interval, sync_shutdown_file, sync_try_imap, sync_cache_db_path"},
	{"xlist-<flag>", "special use of the folder of that name when it is made by autocreate"},
	{"autocreate_acl", "folder, identifier and rights to grant on a folder made by autocreate"},
}

// matches compares key with the fixed parts of p: at most two parts of a key
// vary, and a varying part may be empty (a tier often is).
func (p *Pattern) matches(key string) bool {
	head, rest, varies := strings.Cut(p.Key, "<")
	if !varies {
		return key == p.Key
	}
	key, ok := strings.CutPrefix(key, head)
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, ">")
	middle, _, again := strings.Cut(rest, "<")
	if again {
		return strings.Contains(key, middle)
	}
	return strings.HasSuffix(key, middle)
}
