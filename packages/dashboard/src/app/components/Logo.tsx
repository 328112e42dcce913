/** The name of the product. */
export const Logo = () => (
  <span className="logo">
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#1f6f5c" />
      <path
        d="M9 25V7h8.5a5.75 5.75 0 0 1 0 11.5H13"
        fill="none"
        stroke="#fff"
        strokeWidth="3.2"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <circle cx="22.5" cy="24" r="2.2" fill="#8fe0c4" />
    </svg>
    Perdure
  </span>
)
