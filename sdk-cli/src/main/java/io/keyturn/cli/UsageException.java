package io.keyturn.cli;

/** The command line is wrong. Its message repeats none of its values: one may be a token that stands in a wrong place. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String help;

    /**
     * A command line that cannot be meant.
     *
     * @param help the arguments that tell what can
     */
    UsageException(String message, String help) {
        super(message);
        this.help = help;
    }

    String help() {
        return help;
    }

    @Override
    public String getMessage() {
        return String.valueOf(super.getMessage());
    }
}
