// Maven's com.statsig:javacore, unchanged but for URL and key.
//
// Lines of standard input are commands, and each is printed once it has been followed: "log ROUND" logs an event of
// each kind, with the round in their names; "flush" begins to send. At the end of input the SDK is shut down.
import com.statsig.Statsig;
import com.statsig.StatsigOptions;
import com.statsig.StatsigUser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;

public class JavaCore {
  public static void main(String[] arguments) throws Exception {
    StatsigOptions options =
        new StatsigOptions.Builder()
            .setSpecsUrl(arguments[0] + "/v2/download_config_specs")
            .setLogEventUrl(arguments[0] + "/v1/log_event")
            .setEnvironment("staging")
            .build();
    Statsig statsig = new Statsig(arguments[1], options);
    statsig.initialize().get();
    StatsigUser user =
        new StatsigUser.Builder()
            .setUserID("u1")
            .setEmail("a@b.c")
            .setIp("1.2.3.4")
            .setCountry("US")
            .setLocale("en_US")
            .setAppVersion("1.2")
            .setUserAgent("UA/1")
            .setCustom(Map.of("plan", "pro", "n", 3))
            .setPrivateAttributes(Map.of("password", "hunter2"))
            .setCustomIDs(Map.of("companyID", "c9", "stableID", "s7"))
            .build();
    System.out.println("ready");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("log ")) {
        log(statsig, user, line.substring(4));
      } else {
        statsig.flushEvents();
      }
      System.out.println(line);
    }
    statsig.shutdown().get();
  }

  private static void log(Statsig statsig, StatsigUser user, String round) {
    statsig.logEvent(user, round + "_no_value");
    statsig.logEvent(user, round + "_number_value", 12.5, Map.of("n", "2"));
    statsig.logEvent(user, round + "_text_value", "pro", Map.of("plan", "yearly"));
    statsig.checkGate(user, round + "_gate");
    statsig.getExperiment(user, round + "_config");
    statsig.manuallyLogLayerParamExposure(user, round + "_layer", "a_parameter");
  }
}
