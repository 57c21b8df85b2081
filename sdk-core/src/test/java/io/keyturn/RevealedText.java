package io.keyturn;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Handle;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldInsnNode;
import org.objectweb.asm.tree.InvokeDynamicInsnNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.analysis.Analyzer;
import org.objectweb.asm.tree.analysis.AnalyzerException;
import org.objectweb.asm.tree.analysis.BasicInterpreter;
import org.objectweb.asm.tree.analysis.BasicValue;
import org.objectweb.asm.tree.analysis.Interpreter;
import org.objectweb.asm.tree.analysis.Value;

/**
 * Follows what {@code reveal()} answers through the code of some classes: through variables, the Java library's methods,
 * builders, arrays and collections, from a method into those of ours that it calls, and back. What is found is every field
 * that such a text is put into, or what was made of it, or a lambda that has it.
 *
 * <p>A text ends to be followed where it becomes a {@code Secret}, where the package {@code token} has it, where OkHttp's
 * types take it (they are the wire), and where only a number or a yes is left of it. A method is taken to be any of ours
 * with its name and parameters, whatever its class.
 */
final class RevealedText {
    private static final String TOKENS = "io/keyturn/token/";
    private static final Set<String> HOLDERS = Set.of(TOKENS + "Secret", TOKENS + "Token");

    /** What of the Java library holds a text when it was handed one. */
    private static final Set<String> WHOLE = Set.of(
            "java/lang/Boolean",
            "java/lang/Integer",
            "java/lang/Long",
            "java/lang/Character",
            "java/lang/Class",
            "java/time/Duration",
            "java/time/Instant");

    private final Map<String, ClassNode> classes = new HashMap<>();
    /** By name and descriptor. */
    private final Map<String, List<Method>> methods = new HashMap<>();
    /** Parameters that a text was passed for, this being number 0. */
    private final Map<Method, Set<Integer>> passed = new HashMap<>();

    private final Set<Method> answers = new HashSet<>();
    /** Where builders, arrays and collections were made that a text was put into. */
    private final Set<AbstractInsnNode> filled = new HashSet<>();

    private final Set<String> kept = new TreeSet<>();
    private boolean changed;

    private record Method(String owner, MethodNode node) {
        String key() {
            return node.name + node.desc;
        }
    }

    /**
     * Something on the stack or in a variable.
     *
     * @param made where it was made, if that is known
     */
    private record Flow(
            BasicValue type, boolean secret, @Nullable AbstractInsnNode made) implements Value {
        @Override
        public int getSize() {
            return type.getSize();
        }
    }

    private RevealedText() {}

    /** The fields that keep a text, as {@code Class.field in method}. */
    static Set<String> keptBy(Collection<Class<?>> types) {
        RevealedText all = new RevealedText();
        types.forEach(all::read);
        return all.follow();
    }

    private void read(Class<?> type) {
        String file = type.getName().substring(type.getName().lastIndexOf('.') + 1) + ".class";
        try (InputStream in = type.getResourceAsStream(file)) {
            ClassNode node = new ClassNode();
            new ClassReader(in).accept(node, ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
            classes.put(node.name, node);
            for (MethodNode method : node.methods) {
                Method each = new Method(node.name, method);
                methods.computeIfAbsent(each.key(), key -> new ArrayList<>()).add(each);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Set<String> follow() {
        do {
            changed = false;
            methods.values().forEach(same -> same.forEach(this::follow));
        } while (changed);
        return kept;
    }

    private void follow(Method method) {
        if (method.owner.startsWith(TOKENS) || method.node.instructions.size() == 0) {
            return;
        }
        try {
            new Analyzer<>(new Follower(method)).analyze(method.owner, method.node);
        } catch (AnalyzerException e) {
            throw new IllegalStateException(method.owner + "." + method.key(), e);
        }
    }

    private <T> void add(Set<T> known, T found) {
        changed |= known.add(found);
    }

    private final class Follower extends Interpreter<Flow> {
        private final BasicInterpreter basic = new BasicInterpreter();
        private final Method method;

        Follower(Method method) {
            super(Opcodes.ASM9);
            this.method = method;
        }

        private @Nullable Flow flow(@Nullable BasicValue type, boolean secret) {
            return type == null ? null : new Flow(type, secret, null);
        }

        @Override
        public @Nullable Flow newValue(@Nullable Type type) {
            return flow(basic.newValue(type), false);
        }

        @Override
        public @Nullable Flow newParameterValue(boolean isInstance, int local, Type type) {
            int number = isInstance ? 1 : 0;
            int at = number;
            for (Type each : Type.getArgumentTypes(method.node.desc)) {
                if (at == local) {
                    boolean secret = passed.getOrDefault(method, Set.of()).contains(number);
                    return flow(basic.newValue(type), secret);
                }
                at += each.getSize();
                number++;
            }
            return newValue(type);
        }

        @Override
        public Flow newOperation(AbstractInsnNode insn) throws AnalyzerException {
            return new Flow(basic.newOperation(insn), filled.contains(insn), insn);
        }

        @Override
        public Flow copyOperation(AbstractInsnNode insn, Flow value) {
            return value;
        }

        @Override
        public @Nullable Flow unaryOperation(AbstractInsnNode insn, Flow value) throws AnalyzerException {
            BasicValue result = basic.unaryOperation(insn, value.type);
            switch (insn.getOpcode()) {
                case Opcodes.PUTSTATIC -> keep((FieldInsnNode) insn, value);
                case Opcodes.CHECKCAST -> {
                    return new Flow(result, value.secret, value.made);
                }
                case Opcodes.ANEWARRAY, Opcodes.NEWARRAY -> {
                    return new Flow(result, filled.contains(insn), insn);
                }
                default -> {}
            }
            return flow(result, false);
        }

        @Override
        public @Nullable Flow binaryOperation(AbstractInsnNode insn, Flow one, Flow two) throws AnalyzerException {
            if (insn.getOpcode() == Opcodes.PUTFIELD) {
                keep((FieldInsnNode) insn, two);
            }
            boolean element = insn.getOpcode() == Opcodes.AALOAD && one.secret;
            return flow(basic.binaryOperation(insn, one.type, two.type), element);
        }

        @Override
        public @Nullable Flow ternaryOperation(AbstractInsnNode insn, Flow array, Flow index, Flow value) {
            fill(array, value.secret);
            return null;
        }

        private void fill(Flow container, boolean secret) {
            if (secret && container.made != null) {
                add(filled, container.made);
            }
        }

        private void keep(FieldInsnNode field, Flow value) {
            if (value.secret) {
                add(kept, field.owner.replace('/', '.') + "." + field.name + " in " + method.node.name);
            }
        }

        @Override
        public @Nullable Flow naryOperation(AbstractInsnNode insn, List<? extends Flow> values)
                throws AnalyzerException {
            BasicValue result =
                    basic.naryOperation(insn, values.stream().map(Flow::type).toList());
            boolean any = values.stream().anyMatch(Flow::secret);
            if (insn instanceof InvokeDynamicInsnNode dynamic) {
                return flow(result, any && capture(dynamic, values));
            }
            if (!(insn instanceof MethodInsnNode call)) {
                return flow(result, false);
            }
            if (HOLDERS.contains(call.owner) && call.name.equals("reveal")) {
                return flow(result, true);
            }
            boolean text = isText(Type.getReturnType(call.desc));
            if (call.owner.startsWith(TOKENS)) {
                return flow(result, any && text && !HOLDERS.contains(call.owner));
            }
            if (classes.containsKey(call.owner)) {
                return flow(result, pass(call, values));
            }
            if (any && call.owner.startsWith("java/")) {
                fill(values.get(0), call.getOpcode() != Opcodes.INVOKESTATIC);
            }
            return flow(result, any && text);
        }

        /** What a method of ours gets; whether it answers a text. */
        private boolean pass(MethodInsnNode call, List<? extends Flow> values) {
            int first = call.getOpcode() == Opcodes.INVOKESTATIC ? 0 : 1;
            String only = call.name.equals("<init>") ? call.owner : null;
            return hand(call.name + call.desc, only, values, first);
        }

        private boolean hand(String key, @Nullable String only, List<? extends Flow> values, int first) {
            boolean answer = false;
            for (Method target : methods.getOrDefault(key, List.of())) {
                if (only != null && !target.owner.equals(only)) {
                    continue;
                }
                boolean isStatic = (target.node.access & Opcodes.ACC_STATIC) != 0;
                for (int i = first; i < values.size(); i++) {
                    if (values.get(i).secret()) {
                        int number = i - first + (isStatic ? 0 : 1);
                        add(passed.computeIfAbsent(target, each -> new HashSet<>()), number);
                    }
                }
                answer |= answers.contains(target);
            }
            return answer;
        }

        /** What a lambda has of its surroundings, its body gets first; the lambda has the text as a list has it. */
        private boolean capture(InvokeDynamicInsnNode dynamic, List<? extends Flow> values) {
            for (Object argument : dynamic.bsmArgs) {
                if (argument instanceof Handle body && classes.containsKey(body.getOwner())) {
                    boolean isStatic = body.getTag() == Opcodes.H_INVOKESTATIC;
                    hand(body.getName() + body.getDesc(), body.getOwner(), values, isStatic ? 0 : 1);
                }
            }
            return true;
        }

        private static boolean isText(Type type) {
            boolean array = type.getSort() == Type.ARRAY;
            boolean object =
                    type.getSort() == Type.OBJECT && type.getInternalName().startsWith("java/");
            return array || (object && !WHOLE.contains(type.getInternalName()));
        }

        @Override
        public void returnOperation(AbstractInsnNode insn, Flow value, Flow expected) {
            if (value.secret) {
                add(answers, method);
            }
        }

        @Override
        public Flow merge(Flow one, Flow two) {
            if (one.equals(two)) {
                return one;
            }
            BasicValue type = basic.merge(one.type, two.type);
            AbstractInsnNode made = one.made == two.made ? one.made : null;
            return new Flow(type, one.secret || two.secret, made);
        }
    }
}
