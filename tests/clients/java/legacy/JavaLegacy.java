// Maven's com.statsig:serversdk, unchanged but for URL and key.
//
// Lines of standard input are commands, and each is printed once it has been followed: "log ROUND" logs an event of
// each kind, with the round in their names; "flush" logs fillers, as this SDK sends nothing before it has 1,000 events
// or a minute has gone by. At the end of input the SDK is shut down.
import com.statsig.sdk.Statsig;
import com.statsig.sdk.StatsigOptions;
import com.statsig.sdk.StatsigUser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;

public class JavaLegacy {
  private static final int BATCH = 1000;
  private static final int OF_A_ROUND = 6;

  public static void main(String[] arguments) throws Exception {
    StatsigOptions options = new StatsigOptions();
    options.setApi(arguments[0] + "/v1");
    options.setTier("staging");
    Statsig.initializeAsync(arguments[1], options).get();
    StatsigUser user = new StatsigUser("u1");
    user.setEmail("a@b.c");
    user.setIp("1.2.3.4");
    user.setCountry("US");
    user.setLocale("en_US");
    user.setAppVersion("1.2");
    user.setUserAgent("UA/1");
    user.setCustom(Map.of("plan", "pro", "n", 3));
    user.setPrivateAttributes(Map.of("password", "hunter2"));
    user.setCustomIDs(Map.of("companyID", "c9", "stableID", "s7"));
    System.out.println("ready");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    String round = "";
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("log ")) {
        round = line.substring(4);
        log(user, round);
      } else {
        for (int filler = OF_A_ROUND; filler < BATCH; filler++) {
          Statsig.logEvent(user, round + "_filler_" + filler);
        }
      }
      System.out.println(line);
    }
    Statsig.shutdown();
  }

  private static void log(StatsigUser user, String round) throws Exception {
    Statsig.logEvent(user, round + "_no_value");
    Statsig.logEvent(user, round + "_number_value", 12.5, Map.of("n", "2"));
    Statsig.logEvent(user, round + "_text_value", "pro", Map.of("plan", "yearly"));
    Statsig.checkGateAsync(user, round + "_gate").get();
    Statsig.getConfigAsync(user, round + "_config").get();
    Statsig.manuallyLogLayerParameterExposureAsync(user, round + "_layer", "a_parameter").get();
  }
}
