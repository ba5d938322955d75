package hissms;

/** It is not from the adapter, was changed, or came before. Answer 401, and tell nobody why. */
public final class CallbackRefusedException extends Exception {
    private static final long serialVersionUID = 1L;

    CallbackRefusedException(String reason) {
        super(reason);
    }
}
