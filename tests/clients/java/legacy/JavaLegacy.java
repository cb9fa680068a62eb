// Maven's com.statsig:serversdk, unchanged but for URL and key: custom events of each kind and exposures.
import com.statsig.sdk.Statsig;
import com.statsig.sdk.StatsigOptions;
import com.statsig.sdk.StatsigUser;
import java.util.Map;

public class JavaLegacy {
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
    Statsig.logEvent(user, "text_value", "pro", Map.of("plan", "yearly"));
    Statsig.logEvent(user, "number_value", 12.5, Map.of("n", "2"));
    Statsig.logEvent(user, "no_value");
    Statsig.checkGateAsync(user, "a_gate").get();
    Statsig.getConfigAsync(user, "a_config").get();
    Statsig.shutdown();
  }
}
