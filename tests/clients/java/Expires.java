import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.ResolverStyle;

/** Reads `expires` with the pattern that Bazel reads it with; prints seconds since 1970. */
class Expires {
    public static void main(String[] arguments) {
        DateTimeFormatter bazels = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ssXXX")
            .withZone(ZoneOffset.UTC).withResolverStyle(ResolverStyle.LENIENT);
        for (String text : arguments) {
            System.out.println(Instant.from(bazels.parse(text)).getEpochSecond());
        }
    }
}
