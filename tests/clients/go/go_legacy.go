// Go's github.com/statsig-io/go-sdk, unchanged but for URL and key.
//
// Lines of standard input are commands, and each is printed once it has been followed: "log ROUND" logs an event of
// each kind, with the round in their names; "log-at-once ROUND" sends one by the call that waits for the answer; "flush"
// does nothing, as this SDK sends at an interval alone. At the end of input the SDK is shut down.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	statsig "github.com/statsig-io/go-sdk"
)

var user = statsig.User{
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

func log(round string) {
	statsig.LogEvent(statsig.Event{User: user, EventName: round + "_no_value"})
	statsig.LogEvent(statsig.Event{
		User: user, EventName: round + "_number_value", Value: "12.5", Metadata: map[string]string{"n": "2"},
	})
	statsig.LogEvent(statsig.Event{
		User: user, EventName: round + "_text_value", Value: "pro", Metadata: map[string]string{"plan": "yearly"},
	})
	statsig.CheckGate(user, round+"_gate")
	statsig.GetConfig(user, round+"_config")
	statsig.ManuallyLogLayerParameterExposure(user, round+"_layer", "a_parameter")
}

func main() {
	url, key := os.Args[1], os.Args[2]
	statsig.InitializeWithOptions(key, &statsig.Options{
		API:             url + "/v1",
		Environment:     statsig.Environment{Tier: "staging"},
		LoggingInterval: time.Second,
	})
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, round, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "log":
			log(round)
		case "log-at-once":
			statsig.LogImmediate([]statsig.Event{{User: user, EventName: round + "_at_once", Value: "pro"}})
		}
		fmt.Println(lines.Text())
	}
	statsig.Shutdown()
}
