export default function Page() {
  return (
    <p>
      <code>POST /api/chat/token</code> answers with a chat token.
    </p>
  );
}
