import java.net.CookieManager;
import java.net.HttpURLConnection;
import java.net.Authenticator;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Requests each URL in turn, with {@code java.net.http} or with {@code HttpURLConnection}. */
class Client {
    public static void main(String[] args) throws Exception {
        var authenticator = new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(args[1], args[2].toCharArray());
            }
        };
        var client = HttpClient.newBuilder()
            .authenticator(authenticator)
            .cookieHandler(new CookieManager())
            .followRedirects(HttpClient.Redirect.NORMAL)
            .build();
        Authenticator.setDefault(authenticator);
        for (int i = 3; i < args.length; i++) {
            var url = URI.create(args[i]);
            try {
                if (args[0].equals("connection")) {
                    ((HttpURLConnection) url.toURL().openConnection()).getResponseCode();
                } else {
                    client.send(HttpRequest.newBuilder(url).build(), HttpResponse.BodyHandlers.ofString());
                }
            } catch (java.io.IOException refused) {
                // After three refusals it gives up.
            }
        }
    }
}
