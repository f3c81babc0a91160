package log

import "strings"

// facilities are the codes of syslog.h.
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7,
	"uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

func facility(name string) int {
	if f, ok := facilities[strings.ToLower(name)]; ok {
		return f
	}
	return facilities[DefaultFacility]
}
