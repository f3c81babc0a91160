package imapserver

// mailboxCommands are the commands about mailboxes that need none selected.
var mailboxCommands = map[string]command{
	"List":   {in: signedIn, run: (*session).list},   // RFC 9051 section 6.3.9
	"Lsub":   {in: signedIn, run: (*session).lsub},   // RFC 3501 section 6.3.9
	"Xlist":  {in: signedIn, run: (*session).xlist},  // RFC 6154's forerunner
	"Rlist":  {in: signedIn, run: (*session).rlist},  // RFC 2193
	"Rlsub":  {in: signedIn, run: (*session).rlsub},  // RFC 2193
	"Status": {in: signedIn, run: (*session).status}, // RFC 9051 section 6.3.11

	"Create":      {in: signedIn, run: (*session).create, how: change | referAdmin},
	"Delete":      {in: signedIn, run: (*session).delete, how: change | refer, far: (*session).relayChange},
	"Rename":      {in: signedIn, run: (*session).rename, how: change, far: (*session).relayMove},
	"Xrename":     {in: signedIn, run: (*session).xrename, how: change, far: (*session).relayMove},
	"Subscribe":   {in: signedIn, run: (*session).subscribe, how: change},
	"Unsubscribe": {in: signedIn, run: (*session).unsubscribe, how: change},

	"Getacl":     {in: signedIn, run: (*session).getACL}, // RFC 4314
	"Setacl":     {in: signedIn, run: (*session).setACL, how: change | referAdmin, far: (*session).relayChange},
	"Deleteacl":  {in: signedIn, run: (*session).deleteACL, how: change, far: (*session).relayChange},
	"Listrights": {in: signedIn, run: (*session).listRights},
	"Myrights":   {in: signedIn, run: (*session).myRights},

	"Getmetadata": {in: signedIn, run: (*session).getMetadata}, // RFC 5464
	"Setmetadata": {in: signedIn, run: (*session).setMetadata, how: change},

	"Getannotation": {in: signedIn, run: (*session).getAnnotation}, // METADATA's drafts
	"Setannotation": {in: signedIn, run: (*session).setAnnotation, how: change},

	"Getquota":     {in: signedIn, run: (*session).getQuota}, // RFC 9208
	"Getquotaroot": {in: signedIn, run: (*session).getQuotaRoot},
	"Setquota":     {in: signedIn, run: (*session).setQuota, how: change},

	"Reconstruct": {in: signedIn, run: (*session).reconstruct, how: change},
}
