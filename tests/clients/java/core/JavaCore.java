// Maven's com.statsig:javacore, unchanged but for URL and key: custom events of each kind and exposures.
import com.statsig.Statsig;
import com.statsig.StatsigOptions;
import com.statsig.StatsigUser;
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
    statsig.logEvent(user, "text_value", "pro", Map.of("plan", "yearly"));
    statsig.logEvent(user, "number_value", 12.5, Map.of("n", "2"));
    statsig.logEvent(user, "no_value");
    statsig.checkGate(user, "a_gate");
    statsig.getExperiment(user, "a_config");
    statsig.flushEvents().get();
    statsig.shutdown().get();
  }
}
