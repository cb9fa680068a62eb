// Go's github.com/statsig-io/go-sdk, unchanged but for URL and key: custom events of each kind and exposures.
package main

import (
	"os"

	statsig "github.com/statsig-io/go-sdk"
)

func main() {
	url, key := os.Args[1], os.Args[2]
	statsig.InitializeWithOptions(key, &statsig.Options{
		API:         url + "/v1",
		Environment: statsig.Environment{Tier: "staging"},
	})
	user := statsig.User{
		UserID:            "u1",
		Email:             "a@b.c",
		IpAddress:         "1.2.3.4",
		Country:           "US",
		Locale:            "en_US",
		AppVersion:        "1.2",
		UserAgent:         "UA/1",
		Custom:            map[string]interface{}{"plan": "pro", "n": 3},
		PrivateAttributes: map[string]interface{}{"password": "hunter2"},
		CustomIDs:         map[string]string{"companyID": "c9", "stableID": "s7"},
	}
	statsig.LogEvent(statsig.Event{
		User: user, EventName: "text_value", Value: "pro", Metadata: map[string]string{"plan": "yearly"},
	})
	statsig.LogEvent(statsig.Event{User: user, EventName: "number_value", Value: "12.5"})
	statsig.LogEvent(statsig.Event{User: user, EventName: "no_value"})
	statsig.CheckGate(user, "a_gate")
	statsig.GetConfig(user, "a_config")
	statsig.Shutdown()
}
